# parts of src/instance
