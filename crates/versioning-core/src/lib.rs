//! Optimistic locking as values and a state machine.
