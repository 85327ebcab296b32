# parts of src/exec
