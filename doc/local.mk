# The guides: plain texts, run by tests/system/guides.t.
GUIDES = doc/README doc/flux doc/parallel doc/performance doc/slurm doc/spawn doc/troubleshooting doc/within doc/workflows
dist_doc_DATA = $(GUIDES)
EXTRA_DIST += tests/system/guides.t tests/system/install.t

# What hbatch help shows in the build tree.
noinst_DATA += help/.stamp
help/.stamp: $(GUIDES) $(dist_man_MANS) $(nodist_man_MANS) Makefile
	$(AM_V_GEN)$(MKDIR_P) help && for f in $(GUIDES) $(dist_man_MANS); do cp -f $(srcdir)/$$f help/ || exit 1; done && \
	cp -f $(nodist_man_MANS) help/ && touch $@
