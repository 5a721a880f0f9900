"""What CI looks at beside the tests: known faults of dependencies, their licences, secrets in tracked files."""
