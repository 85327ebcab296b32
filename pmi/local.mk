# parts of pmi
