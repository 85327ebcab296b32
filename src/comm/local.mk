# parts of src/comm
