//! The limits and sizes of a configuration.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Result, ensure};
use fhir_model::json::DEPTH_CEILING;
use serde::{Deserialize, Serialize};

use super::Durability;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLimits {
    connections_max: Option<usize>,
    streams_max: Option<u32>,
    uri_bytes_max: Option<usize>,
    header_bytes_max: Option<usize>,
    header_fields_max: Option<usize>,
    body_bytes_max: Option<usize>,
    bodies_bytes_max: Option<usize>,
    bundle_entries_max: Option<usize>,
    bundle_time_max_s: Option<u64>,
    bundle_search_time_max_s: Option<u64>,
    batch_parallel_max: Option<usize>,
    header_time_max_s: Option<u64>,
    body_time_max_s: Option<u64>,
    send_time_max_s: Option<u64>,
    shutdown_time_max_s: Option<u64>,
    depth_max: Option<usize>,
    page_default: Option<usize>,
    page_max: Option<usize>,
    idempotency_time_s: Option<u64>,
}

/// How SQLite stores are run; the names are those of [`storage_sqlite::Options`].
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSqlite {
    queue_sets_max: Option<usize>,
    queue_bytes_max: Option<usize>,
    set_bytes_max: Option<usize>,
    body_inline_max: Option<usize>,
    head_cache_entries: Option<usize>,
    body_cache_bytes: Option<usize>,
    entry_cache_bytes: Option<usize>,
    page_cache_bytes: Option<usize>,
    checkpoint_bytes: Option<u64>,
    log_bytes_max: Option<u64>,
}

/// A longer time is as good as none, and cannot be added to any other.
const YEAR_S: u64 = 31_536_000;

/// What a number may be, where it is given.
fn between<T: PartialOrd + Display>(name: &str, value: Option<T>, allowed: &RangeInclusive<T>) -> Result<()> {
    let (least, most) = (allowed.start(), allowed.end());
    if let Some(value) = value {
        ensure!(allowed.contains(&value), "limits.{name} is from {least} to {most}, not {value}");
    }
    Ok(())
}

impl FileLimits {
    pub(super) fn of(http: &http_server::Limits, service: &fhir_service::Limits) -> Self {
        let seconds = |micros: i64| Some(micros.unsigned_abs() / 1_000_000);
        Self {
            connections_max: Some(http.connections_max),
            streams_max: Some(http.streams_max),
            uri_bytes_max: Some(http.uri_bytes_max),
            header_bytes_max: Some(http.header_bytes_max),
            header_fields_max: Some(http.header_fields_max),
            body_bytes_max: Some(http.body_bytes_max),
            bodies_bytes_max: Some(http.bodies_bytes_max),
            bundle_entries_max: Some(service.bundle_entries_max),
            bundle_time_max_s: seconds(service.bundle_time_us),
            bundle_search_time_max_s: seconds(service.bundle_search_time_us),
            batch_parallel_max: Some(service.batch_parallel_max),
            header_time_max_s: Some(http.header_time_max.as_secs()),
            body_time_max_s: Some(http.body_time_max.as_secs()),
            send_time_max_s: Some(http.send_time_max.as_secs()),
            shutdown_time_max_s: Some(http.shutdown_time_max.as_secs()),
            depth_max: Some(service.json.depth_max),
            page_default: Some(service.page_default),
            page_max: Some(service.page_max),
            idempotency_time_s: seconds(service.idempotency_time_us),
        }
    }

    pub(super) fn limits(&self) -> Result<(http_server::Limits, fhir_service::Limits)> {
        self.check()?;
        let mut http = http_server::Limits::default();
        let mut service = fhir_service::Limits::default();
        let set = |target: &mut usize, value: Option<usize>| *target = value.unwrap_or(*target);
        set(&mut http.connections_max, self.connections_max);
        set(&mut http.uri_bytes_max, self.uri_bytes_max);
        set(&mut http.header_bytes_max, self.header_bytes_max);
        set(&mut http.header_fields_max, self.header_fields_max);
        set(&mut http.body_bytes_max, self.body_bytes_max);
        set(&mut http.bodies_bytes_max, self.bodies_bytes_max);
        set(&mut service.bundle_entries_max, self.bundle_entries_max);
        set(&mut service.batch_parallel_max, self.batch_parallel_max);
        set(&mut service.json.depth_max, self.depth_max);
        set(&mut service.page_default, self.page_default);
        set(&mut service.page_max, self.page_max);
        http.streams_max = self.streams_max.unwrap_or(http.streams_max);
        let set =
            |target: &mut Duration, value: Option<u64>| *target = value.map_or(*target, Duration::from_secs);
        set(&mut http.header_time_max, self.header_time_max_s);
        set(&mut http.body_time_max, self.body_time_max_s);
        set(&mut http.send_time_max, self.send_time_max_s);
        set(&mut http.shutdown_time_max, self.shutdown_time_max_s);
        let set = |target: &mut i64, value: Option<u64>| {
            *target = value.map_or(*target, |seconds| seconds.saturating_mul(1_000_000).cast_signed());
        };
        set(&mut service.bundle_time_us, self.bundle_time_max_s);
        set(&mut service.bundle_search_time_us, self.bundle_search_time_max_s);
        set(&mut service.idempotency_time_us, self.idempotency_time_s);
        service.json.bytes_max = http.body_bytes_max;
        ensure!(service.page_default <= service.page_max, "limits.page_default is above limits.page_max");
        Ok((http, service))
    }

    /// Numbers that would stop the server from serving, or that nothing can be as large as.
    fn check(&self) -> Result<()> {
        const MANY: usize = u32::MAX as usize;
        for (name, value) in [
            ("connections_max", self.connections_max),
            ("uri_bytes_max", self.uri_bytes_max),
            ("header_bytes_max", self.header_bytes_max),
            ("body_bytes_max", self.body_bytes_max),
            ("bodies_bytes_max", self.bodies_bytes_max),
            ("bundle_entries_max", self.bundle_entries_max),
            ("batch_parallel_max", self.batch_parallel_max),
            ("page_default", self.page_default),
            ("page_max", self.page_max),
        ] {
            between(name, value, &(1..=MANY))?;
        }
        between("streams_max", self.streams_max, &(1..=u32::MAX))?;
        // The protocol layer keeps room for so many with each request.
        between("header_fields_max", self.header_fields_max, &(16..=65_536))?;
        // What is nested deeper would not fit the stack.
        between("depth_max", self.depth_max, &(1..=DEPTH_CEILING))?;
        for (name, value) in [
            ("bundle_time_max_s", self.bundle_time_max_s),
            ("bundle_search_time_max_s", self.bundle_search_time_max_s),
            ("header_time_max_s", self.header_time_max_s),
            ("body_time_max_s", self.body_time_max_s),
            ("send_time_max_s", self.send_time_max_s),
            ("shutdown_time_max_s", self.shutdown_time_max_s),
        ] {
            between(name, value, &(1..=YEAR_S))?;
        }
        between("idempotency_time_s", self.idempotency_time_s, &(0..=100 * YEAR_S))
    }
}

impl FileSqlite {
    pub(super) fn of(options: &storage_sqlite::Options) -> Self {
        Self {
            queue_sets_max: Some(options.queue_sets_max),
            queue_bytes_max: Some(options.queue_bytes_max),
            set_bytes_max: Some(options.set_bytes_max),
            body_inline_max: Some(options.body_inline_max),
            head_cache_entries: Some(options.head_cache_entries),
            body_cache_bytes: Some(options.body_cache_bytes),
            entry_cache_bytes: Some(options.entry_cache_bytes),
            page_cache_bytes: Some(options.page_cache_bytes),
            checkpoint_bytes: Some(options.checkpoint_bytes),
            log_bytes_max: Some(options.log_bytes_max),
        }
    }

    pub(super) fn options(&self, durability: Durability) -> Result<storage_sqlite::Options> {
        let defaults = storage_sqlite::Options::default();
        let options = storage_sqlite::Options {
            durability: match durability {
                Durability::Full => storage_sqlite::Durability::Full,
                Durability::Normal => storage_sqlite::Durability::Normal,
            },
            queue_sets_max: self.queue_sets_max.unwrap_or(defaults.queue_sets_max),
            queue_bytes_max: self.queue_bytes_max.unwrap_or(defaults.queue_bytes_max),
            set_bytes_max: self.set_bytes_max.unwrap_or(defaults.set_bytes_max),
            body_inline_max: self.body_inline_max.unwrap_or(defaults.body_inline_max),
            head_cache_entries: self.head_cache_entries.unwrap_or(defaults.head_cache_entries),
            body_cache_bytes: self.body_cache_bytes.unwrap_or(defaults.body_cache_bytes),
            entry_cache_bytes: self.entry_cache_bytes.unwrap_or(defaults.entry_cache_bytes),
            page_cache_bytes: self.page_cache_bytes.unwrap_or(defaults.page_cache_bytes),
            checkpoint_bytes: self.checkpoint_bytes.unwrap_or(defaults.checkpoint_bytes),
            log_bytes_max: self.log_bytes_max.unwrap_or(defaults.log_bytes_max),
            ..defaults
        };
        for (name, value) in [
            ("queue_sets_max", options.queue_sets_max),
            ("queue_bytes_max", options.queue_bytes_max),
            ("set_bytes_max", options.set_bytes_max),
        ] {
            ensure!(value > 0, "sqlite.{name} is at least 1: with 0 nothing could be written");
        }
        ensure!(
            options.checkpoint_bytes <= options.log_bytes_max,
            "sqlite.checkpoint_bytes is above sqlite.log_bytes_max"
        );
        Ok(options)
    }
}
