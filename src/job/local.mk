# parts of src/job
