//! Handles on metrics: those of the crate `metrics`, or nothing without the feature.

use std::time::Duration;

#[cfg(feature = "metrics")]
use metrics::{Key, KeyName, Label, Level, Metadata, with_recorder};

/// What a metric is.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Seconds,
}

#[derive(Debug)]
pub(super) struct Counter(#[cfg(feature = "metrics")] metrics::Counter);

#[derive(Debug)]
pub(super) struct Gauge(#[cfg(feature = "metrics")] metrics::Gauge);

#[derive(Debug)]
pub(super) struct Histogram(#[cfg(feature = "metrics")] metrics::Histogram);

#[cfg(feature = "metrics")]
static METADATA: Metadata<'static> = Metadata::new("grpc_auth", Level::INFO, None);

#[cfg(feature = "metrics")]
impl Metric {
    pub(super) fn describe(&self) {
        let (name, help) = (KeyName::from_const_str(self.name), self.help.into());
        let unit = Some(match self.unit {
            Unit::Count => metrics::Unit::Count,
            Unit::Seconds => metrics::Unit::Seconds,
        });
        with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(name, unit, help),
            Kind::Gauge => recorder.describe_gauge(name, unit, help),
            Kind::Histogram => recorder.describe_histogram(name, unit, help),
        });
    }

    /// With the values of its labels, in their order.
    pub(super) fn counter(&self, values: &[&str]) -> Counter {
        Counter(with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA)))
    }

    pub(super) fn gauge(&self, values: &[&str]) -> Gauge {
        Gauge(with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA)))
    }

    pub(super) fn histogram(&self, values: &[&str]) -> Histogram {
        let key = self.key(values);
        Histogram(with_recorder(|recorder| recorder.register_histogram(&key, &METADATA)))
    }

    fn key(&self, values: &[&str]) -> Key {
        let labels = self.labels.iter().zip(values);
        let labels: Vec<_> =
            labels.map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Key::from_parts(self.name, labels)
    }
}

#[cfg(not(feature = "metrics"))]
impl Metric {
    pub(super) fn describe(&self) {
        // Without a recorder the names are not used.
        let _ = (self.name, self.kind, self.unit, self.labels, self.help);
    }

    pub(super) fn counter(&self, _: &[&str]) -> Counter {
        Counter()
    }

    pub(super) fn gauge(&self, _: &[&str]) -> Gauge {
        Gauge()
    }

    pub(super) fn histogram(&self, _: &[&str]) -> Histogram {
        Histogram()
    }
}

#[cfg(feature = "metrics")]
impl Counter {
    pub(super) fn increment(&self) {
        self.0.increment(1);
    }
}

#[cfg(feature = "metrics")]
impl Gauge {
    pub(super) fn set(&self, value: f64) {
        self.0.set(value);
    }

    pub(super) fn increment(&self, by: f64) {
        self.0.increment(by);
    }

    pub(super) fn decrement(&self, by: f64) {
        self.0.decrement(by);
    }
}

#[cfg(feature = "metrics")]
impl Histogram {
    pub(super) fn record(&self, duration: Duration) {
        self.0.record(duration.as_secs_f64());
    }
}

#[cfg(not(feature = "metrics"))]
impl Counter {
    pub(super) fn increment(&self) {}
}

#[cfg(not(feature = "metrics"))]
impl Gauge {
    pub(super) fn set(&self, _: f64) {}

    pub(super) fn increment(&self, _: f64) {}

    pub(super) fn decrement(&self, _: f64) {}
}

#[cfg(not(feature = "metrics"))]
impl Histogram {
    pub(super) fn record(&self, _: Duration) {}
}
