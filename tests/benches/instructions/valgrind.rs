//! This program again, as a child that valgrind watches.

use std::process::{Child, Command, Stdio};

/// What valgrind counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Instructions,
    Allocations,
}

impl Count {
    /// Starts a case; it reads its stdin, and tells by its stdout what its caller must know.
    pub(crate) fn start(self, case: &str, times: usize) -> Child {
        let tool: &[&str] = match self {
            Self::Instructions => &["--tool=callgrind", "--callgrind-out-file=/dev/null"],
            Self::Allocations => &["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"],
        };
        Command::new("valgrind")
            .args(tool)
            .arg(std::env::current_exe().unwrap())
            .args(["--child", case, &times.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("valgrind is installed")
    }

    /// The count, once the child has ended by itself.
    pub(crate) fn of(self, child: Child) -> f64 {
        let output = child.wait_with_output().unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{report}");
        let label = match self {
            Self::Instructions => "Collected : ",
            Self::Allocations => "total heap usage: ",
        };
        let (_, number) = report.split_once(label).expect("valgrind reports a count");
        let digits = number.chars().take_while(|c| c.is_ascii_digit() || *c == ',');
        let digits: String = digits.filter(|c| *c != ',').collect();
        digits.parse().expect("a count")
    }

    /// What one more time costs: the slope between two runs, without start and set-up.
    pub(crate) fn each(self, case: &str, few: usize, many: usize) -> f64 {
        let [few_count, many_count] = [few, many].map(|times| self.of(self.start(case, times)));
        (many_count - few_count) / (many - few) as f64
    }
}
