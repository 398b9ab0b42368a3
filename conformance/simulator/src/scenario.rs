//! What is played, and what must hold.
