//! The record locator.
