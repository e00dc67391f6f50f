// SPDX-License-Identifier: GPL-2.0-only
//! Programs that a subcommand starts, with their output going where ours goes.

use crate::error::XtaskError;
use std::path::Path;
use std::process::Command;

/// A command line, with the environment variables that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLine {
    /// Variables and their values.
    pub environment: &'static [(&'static str, &'static str)],
    /// The program and its arguments.
    pub words: &'static [&'static str],
}

impl CommandLine {
    /// As one would type it.
    pub fn typed(&self) -> String {
        let variables = self.environment.iter().map(|(name, value)| {
            if value.contains(' ') { format!("{name}=\"{value}\"") } else { format!("{name}={value}") }
        });
        variables.chain(self.words.iter().map(|&word| word.to_owned())).collect::<Vec<_>>().join(" ")
    }

    /// Runs it in `root`, with `more` arguments at its end.
    pub fn run(&self, root: &Path, more: &[String]) -> Result<(), XtaskError> {
        let command = std::iter::once(self.typed()).chain(more.iter().cloned()).collect::<Vec<_>>().join(" ");
        let (program, arguments) = self.words.split_first().unwrap_or((&"true", &[]));
        let status = Command::new(program)
            .args(arguments)
            .args(more)
            .envs(self.environment.iter().copied())
            .current_dir(root)
            .status()
            .map_err(|source| XtaskError::Start { command: command.clone(), source })?;
        if status.success() { Ok(()) } else { Err(XtaskError::Failed { command }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_typed() {
        let command = CommandLine { environment: &[("A", "1"), ("B", "-D x")], words: &["cargo", "doc"] };
        assert_eq!(command.typed(), "A=1 B=\"-D x\" cargo doc");
    }

    #[test]
    fn success_failure_and_absence_are_told_apart() {
        let run =
            |words| CommandLine { environment: &[("X", "y")], words }.run(Path::new("."), &["z".to_owned()]);
        assert!(run(&["sh", "-c", "test $X = y && test $0 = z"]).is_ok());
        assert!(
            matches!(run(&["sh", "-c", "false"]), Err(XtaskError::Failed { command }) if command.ends_with("false z"))
        );
        assert!(matches!(run(&["no-such-program-anywhere"]), Err(XtaskError::Start { .. })));
    }
}
