"""M questions over N videos: read, planned, done by processes of this machine or of a Ray cluster, and written."""
