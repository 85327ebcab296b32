# parts of man
