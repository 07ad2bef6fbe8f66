//! The `bifocal` command.

fn main() {}
