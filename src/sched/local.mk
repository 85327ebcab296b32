# parts of src/sched
