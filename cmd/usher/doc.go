// Command usher puts Better Auth at the edge: `usher demo` shows it, `usher serve` runs it, `usher help` lists the rest.
// This package reads flags, calls the rooms that do the work, and turns their errors into messages and exit codes:
// 0 all is well, 1 a check or the service failed, 2 wrong usage or configuration.
package main
