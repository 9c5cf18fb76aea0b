public import MetricModel
public import YAML

/// Kinds of value that the configuration files of Prometheus and Alertmanager share.
extension FieldReader {
    /// A duration such as `1m30s`.
    public mutating func optionalDuration(_ name: String) throws(YAMLError) -> Milliseconds? {
        guard let node = optional(name) else { return nil }
        guard let text = try optionalText(name) else { return nil }
        do throws(DurationFault) { return try Milliseconds(reading: text) } catch {
            note(error.description, at: node, field: name)
            return nil
        }
    }

    /// A duration greater than zero.
    public mutating func optionalInterval(_ name: String) throws(YAMLError) -> Milliseconds? {
        guard let duration = try optionalDuration(name) else { return nil }
        guard duration > .zero else {
            note("must be greater than zero", at: node[name], field: name)
            return nil
        }
        return duration
    }

    /// A duration; `nil` if it is missing or zero, where zero means the default, as in Prometheus.
    public mutating func optionalNonZeroDuration(_ name: String) throws(YAMLError) -> Milliseconds? {
        try optionalDuration(name).flatMap { $0 > .zero ? $0 : nil }
    }

    /// A count that is not negative; 0 means no limit.
    public mutating func optionalLimit(_ name: String) throws(YAMLError) -> Int? {
        guard let limit = try optionalInteger(name) else { return nil }
        guard limit >= 0 else {
            note("must not be negative", at: node[name], field: name)
            return nil
        }
        return limit
    }

    /// A size such as `10MB` or `512KiB`. As in Prometheus, both units are multiples of 1024.
    public mutating func optionalSize(_ name: String) throws(YAMLError) -> Int? {
        guard let node = optional(name) else { return nil }
        let text = node.text ?? ""
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        var unit = text.dropFirst(digits.count).uppercased()
        if unit.hasSuffix("IB") { unit = String(unit.dropLast(2)) + "B" }
        let units = ["B", "KB", "MB", "GB", "TB", "PB", "EB"]
        if digits == "0", unit.isEmpty { return 0 }
        guard let power = units.firstIndex(of: unit), let count = Int(digits),
            case let (size, overflow) = count.multipliedReportingOverflow(by: 1 << (10 * power)), !overflow
        else {
            note("not a size: \"\(text)\" (such as 10MB)", at: node, field: name)
            return nil
        }
        return size
    }

    /// Labels as a mapping.
    public mutating func labels(_ name: String) throws(YAMLError) -> Labels {
        var labels: [Label] = []
        for pair in try textMapping(name) {
            guard !pair.name.isEmpty, pair.name != Labels.metricName else {
                note("\"\(pair.name)\" is not a valid label name", at: pair.node, field: name)
                continue
            }
            labels.append(Label(pair.name, pair.value))
        }
        return Labels(labels)
    }

    /// Rejects `name` if it is present and not empty.
    public mutating func refuse(_ name: String, _ reason: String) throws(YAMLError) {
        guard let node = optional(name) else { return }
        if node.elements?.isEmpty == true || node.members?.isEmpty == true { return }
        note("\(name) is not supported: \(reason)", at: node, field: name)
    }
}
