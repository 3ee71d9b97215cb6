"""A data directory under inspection: what it holds, which promises it keeps."""
