# parts of src/store
