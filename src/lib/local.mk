# parts of src/lib
