//! What an author of components needs before there is a pack to run: a first project, its build, word of its changes.
//!
//! In: a directory of the author's own, whose `build.yaml` says how its components are built. Out: components in its
//! `components/`. This room starts compilers and whatever else `build.yaml` names, which nothing else in the host does.
//! So it is called by commands that say so (`build`, `dev`), and never by what loads a pack.

pub mod build;
mod componentize;
pub mod project;
pub mod template;
mod toolchain;
pub mod watch;

pub use build::{Built, build};
pub use project::Project;
pub use template::{Language, new_component};
