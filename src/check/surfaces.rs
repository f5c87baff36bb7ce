//! This host's surface, held against a recorded one.

use std::path::Path;

use super::Against;
use super::report::{Finding, TargetKind, TargetReport};
use crate::conform::{self, Surface};

/// What the step from the recorded surface to this host's breaks and adds.
pub(super) fn compare(surface: &Surface, against: &Against) -> TargetReport {
    let mut report = TargetReport::new(Path::new("surface"), TargetKind::Surface);
    for finding in conform::upgrade(&against.surface, surface) {
        report.push(Finding::of_surface(finding));
    }
    report
}
