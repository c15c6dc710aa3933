//! What the kernel says of this process, under the names that all Prometheus clients use.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Reads `/proc/self` at each scrape; where there is none, nothing is shown.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    #[cfg(target_os = "linux")]
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        use prometheus_client::encoding::EncodeMetric as _;
        use prometheus_client::metrics::MetricType;
        use prometheus_client::metrics::counter::ConstCounter;
        let Some(read) = read() else { return Ok(()) };
        let cpu = encoder.encode_descriptor("process_cpu_seconds", "CPU time used, in seconds.", None, MetricType::Counter)?;
        ConstCounter::new(read.cpu_seconds).encode(cpu)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory, in bytes.", Some(read.resident_bytes)),
            ("process_virtual_memory_bytes", "Virtual memory, in bytes.", Some(read.virtual_bytes)),
            ("process_threads", "Threads.", Some(read.threads)),
            ("process_open_fds", "Open file descriptors.", read.open_fds),
            ("process_max_fds", "The most file descriptors that may be open.", read.max_fds),
            ("process_start_time_seconds", "Start, in seconds since 1970-01-01.", Some(read.start_seconds)),
        ] {
            if let Some(value) = value {
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn encode(&self, _: DescriptorEncoder<'_>) -> fmt::Result {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
struct Read {
    cpu_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    start_seconds: f64,
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^53")]
fn read() -> Option<Read> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let soft = process.limits().ok().map(|limits| limits.max_open_files.soft_limit);
    Some(Read {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: (stat.rss * procfs::page_size()) as f64,
        virtual_bytes: stat.vsize as f64,
        threads: stat.num_threads as f64,
        open_fds: process.fd_count().ok().map(|count| count as f64),
        max_fds: soft.and_then(|soft| match soft {
            procfs::process::LimitValue::Value(most) => Some(most as f64),
            procfs::process::LimitValue::Unlimited => None,
        }),
        start_seconds: procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
    })
}
