//! The binary: hands the command line to `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::main()
}
