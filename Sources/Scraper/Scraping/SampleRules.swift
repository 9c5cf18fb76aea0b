internal import Exposition
internal import MetricModel

/// Converts exposed labels to those of a stored series: target labels, relabelling, limits. Immutable.
struct SampleRules: Sendable {
    let targetLabels: Labels
    let honorsLabels: Bool
    let honorsTimestamps: Bool
    let tracksTimestampStaleness: Bool
    let relabelling: Relabelling
    let limits: ScrapePool.Limits
    let histograms: ScrapePool.HistogramSettings
    /// Whether counters start with a zero at their start timestamp.
    let zeroesStarts: Bool
    /// Identifies the configuration of the rules.
    let generation: Int
    /// Whether names may have any characters; otherwise letters, digits, `_` and, in names of metrics, `:`.
    var allowsUTF8Names = true
    /// The timeout of the scrape, if a scrape also stores its timeout, its limit of samples and its size.
    var extraTimeout: Milliseconds?

    /// The parts of a body that are needed.
    var exposition: ExpositionOptions {
        ExpositionOptions(
            nativeHistograms: histograms.scrapesNative,
            classicHistograms: histograms.alwaysScrapesClassic, startTimestamps: zeroesStarts)
    }

    /// How the series of a body are converted.
    var conversion: ConversionOptions {
        ConversionOptions(
            convertsClassic: histograms.convertsClassic, keepsClassic: histograms.alwaysScrapesClassic,
            takesCreated: zeroesStarts)
    }

    /// The labels of the stored series; `nil` if relabelling drops it.
    func resolve(_ exposed: Labels) throws(ScrapeFailure) -> Labels? {
        guard let labels = relabelling.apply(to: merged(exposed)), !labels.isEmpty else { return nil }
        guard labels.metricName != nil else { throw ScrapeFailure("missing metric name (__name__ label)") }
        guard allowsUTF8Names || hasLegacyNames(labels) else {
            throw ScrapeFailure("invalid metric name or label names: \(labels.setDescription)")
        }
        try check(labels)
        return labels
    }

    /// If both have a label, one keeps its name: the target's, unless `honor_labels` is set.
    private func merged(_ exposed: Labels) -> Labels {
        if let joined = exposed.joined(with: targetLabels) { return joined }
        var labels = exposed
        if honorsLabels {
            for pair in targetLabels.pairs where exposed[pair.name] == nil { labels.set(pair.name, to: pair.value) }
            return labels
        }
        var conflicts: [Label] = []
        for pair in targetLabels.pairs {
            if let value = exposed[pair.name] { conflicts.append(Label(pair.name, value)) }
            labels.set(pair.name, to: pair.value)
        }
        for conflict in conflicts {
            var name = "exported_" + conflict.name
            while labels[name] != nil { name = "exported_" + name }
            labels.set(name, to: conflict.value)
        }
        return labels
    }

    private func hasLegacyNames(_ labels: Labels) -> Bool {
        labels.pairs.allSatisfy {
            $0.name == Labels.metricName
                ? MetricText.isLegacyMetricName($0.value) : MetricText.isLegacyLabelName($0.name)
        }
    }

    private func check(_ labels: Labels) throws(ScrapeFailure) {
        let name = labels.metricName ?? ""
        if limits.labels > 0, labels.count > limits.labels {
            throw ScrapeFailure(
                "label_limit exceeded (metric: \(name), number of labels: \(labels.count), limit: \(limits.labels))")
        }
        guard limits.labelNameLength > 0 || limits.labelValueLength > 0 else { return }
        for pair in labels.pairs {
            if limits.labelNameLength > 0, pair.name.utf8.count > limits.labelNameLength {
                throw ScrapeFailure(
                    "label_name_length_limit exceeded (metric: \(name), label name: \(pair.name.prefix(50)), "
                        + "length: \(pair.name.utf8.count), limit: \(limits.labelNameLength))")
            }
            if limits.labelValueLength > 0, pair.value.utf8.count > limits.labelValueLength {
                throw ScrapeFailure(
                    "label_value_length_limit exceeded (metric: \(name), label name: \(pair.name), "
                        + "length: \(pair.value.utf8.count), limit: \(limits.labelValueLength))")
            }
        }
    }

    /// The labels of a series about the scrape itself.
    func reportLabels(_ name: String) -> Labels {
        targetLabels.setting(Labels.metricName, to: name)
    }
}

/// Why a scrape failed, as shown by `/api/v1/targets`.
struct ScrapeFailure: Error, Equatable, CustomStringConvertible {
    let description: String
    /// Whether the body was longer than allowed.
    let isTooLong: Bool

    init(_ description: String, isTooLong: Bool = false) {
        self.description = description
        self.isTooLong = isTooLong
    }
}
