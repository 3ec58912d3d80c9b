"""The index of frames in ChromaDB."""
