//! The program that a server is, with all that it starts: they end together.

use process_wrap::tokio::CommandWrap;
use tokio::process::Command;

/// `program`, so that what it starts ends with it, unless that leaves its process group on purpose.
#[cfg(unix)]
pub(super) fn whole(program: Command) -> CommandWrap {
    let mut whole = CommandWrap::from(program);
    whole.wrap(process_wrap::tokio::ProcessGroup::leader()).wrap(group::Ending);
    whole
}

/// `program`, so that what it starts ends with it.
#[cfg(windows)]
pub(super) fn whole(program: Command) -> CommandWrap {
    let mut whole = CommandWrap::from(program);
    whole.wrap(process_wrap::tokio::KillOnDrop).wrap(process_wrap::tokio::JobObject);
    whole
}

#[cfg(unix)]
mod group {
    use std::io::Result;
    use std::pin::Pin;
    use std::process::ExitStatus;

    use process_wrap::tokio::{ChildWrapper, CommandWrap, CommandWrapper};
    use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

    /// Ends what is left of a group when its leader has ended, or nobody wants it any more.
    #[derive(Debug)]
    pub(super) struct Ending;

    impl CommandWrapper for Ending {
        fn wrap_child(&mut self, group: Box<dyn ChildWrapper>, _: &CommandWrap) -> Result<Box<dyn ChildWrapper>> {
            Ok(Box::new(Group { members: group, ended: false }))
        }
    }

    /// A process group. It is never taken apart.
    #[derive(Debug)]
    struct Group {
        members: Box<dyn ChildWrapper>,
        ended: bool,
    }

    impl Group {
        fn end(&mut self) -> Result<()> {
            if self.ended {
                return Ok(());
            }
            self.ended = true;
            self.members.start_kill()
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            // It fails where nobody is left.
            drop(self.end());
        }
    }

    impl ChildWrapper for Group {
        fn inner(&self) -> &dyn ChildWrapper {
            self
        }

        fn inner_mut(&mut self) -> &mut dyn ChildWrapper {
            self
        }

        fn into_inner(self: Box<Self>) -> Box<dyn ChildWrapper> {
            self
        }

        fn stdin(&mut self) -> &mut Option<ChildStdin> {
            self.members.stdin()
        }

        fn stdout(&mut self) -> &mut Option<ChildStdout> {
            self.members.stdout()
        }

        fn stderr(&mut self) -> &mut Option<ChildStderr> {
            self.members.stderr()
        }

        fn id(&self) -> Option<u32> {
            self.members.id()
        }

        fn start_kill(&mut self) -> Result<()> {
            self.end()
        }

        fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
            self.members.try_wait()
        }

        fn wait(&mut self) -> Pin<Box<dyn Future<Output = Result<ExitStatus>> + Send + '_>> {
            Box::pin(async {
                let status = self.members.wait().await?;
                // At once: a group that is empty may lend its number to another.
                drop(self.end());
                Ok(status)
            })
        }

        fn signal(&self, signal: i32) -> Result<()> {
            self.members.signal(signal)
        }
    }
}
