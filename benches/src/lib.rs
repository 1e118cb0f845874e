//! Workloads and subjects.
