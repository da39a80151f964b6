//! Random operations on two stores that must answer alike.
