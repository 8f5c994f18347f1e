"""`bkjob demo`: a simulated platform, a real watch of it over HTTP, and a comparison of both."""
