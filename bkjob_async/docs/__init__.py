"""The guide: Markdown pages, and how they become a site (`python -m bkjob_async.docs OUT`)."""
