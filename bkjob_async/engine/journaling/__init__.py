"""What a journal keeps of a watch: records of its batches, and the state that they fold into; bytes in, bytes out."""
