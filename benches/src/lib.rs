//! Workloads, subjects and measurements of gaptree's benchmarks.
//!
//! A *subject* is a map of ranges: an engine of this library, a rival, the
//! reference. A *workload* is a state and a stream of operations, the same for
//! all subjects. A *round* runs the stream once on a subject and hashes the
//! answers; a subject whose hash differs from the oracle's has no time.

pub mod case;
pub mod measure;
pub mod memory;
pub mod results;
pub mod subject;
pub mod subjects;
pub mod tail;
pub mod traces;
pub mod value;
pub mod workload;
