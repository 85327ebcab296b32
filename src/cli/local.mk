# parts of src/cli
