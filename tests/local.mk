# parts of tests
