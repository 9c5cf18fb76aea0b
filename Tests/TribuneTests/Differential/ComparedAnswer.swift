import JSON

/// The response of a server to a query, in a comparable form.
struct ComparedAnswer: CustomStringConvertible {
    private typealias Point = (time: Double, value: String)

    private let json: JSON
    private let type: String?
    private var points: [String: [Point]] = [:]

    init(_ json: JSON) {
        self.json = json
        type = json["data"]?["resultType"]?.text
        let result = json["data"]?["result"]
        if type == "vector" || type == "matrix" {
            for element in result?.elements ?? [] {
                let labels = element["metric"]?.canonical ?? ""
                let floats = element["values"]?.elements ?? element["value"].map { [$0] } ?? []
                let histograms = element["histograms"]?.elements ?? element["histogram"].map { [$0] } ?? []
                points[labels] = (floats.map(Self.point) + histograms.map(Self.histogramPoint))
                    .sorted { $0.time < $1.time }
            }
        } else if let result {
            points[""] = [Self.point(result)]
        }
    }

    private static func point(_ json: JSON) -> Point {
        (json.elements?.first?.number ?? .nan, json.elements?.last?.text ?? "")
    }

    /// A histogram as its count, its sum and all that is said of its buckets.
    private static func histogramPoint(_ json: JSON) -> Point {
        let histogram = json.elements?.last
        let buckets = (histogram?["buckets"]?.elements ?? []).flatMap { bucket in
            (bucket.elements ?? []).map { $0.text ?? $0.canonical }
        }
        let parts = [histogram?["count"]?.text ?? "", histogram?["sum"]?.text ?? ""] + buckets
        return (json.elements?.first?.number ?? .nan, parts.joined(separator: " "))
    }

    /// Whether the query failed.
    var isError: Bool { json["status"]?.text != "success" }
    /// Why the query failed.
    var error: String? { json["error"]?.text }
    /// The server's annotations.
    var infos: [String] { (json["infos"]?.elements ?? []).compactMap(\.text) }
    /// Whether there was nothing to answer.
    var isEmpty: Bool { points.isEmpty }

    /// Answers that are too long to be read are cut.
    var description: String { String(json.canonical.prefix(2000)) }

    /// Whether both are errors, or have the same labels, timestamps and values.
    func agrees(with other: ComparedAnswer) -> Bool {
        if isError || other.isError { return isError && other.isError }
        return type == other.type && points.count == other.points.count
            && points.allSatisfy { labels, own in
                guard let others = other.points[labels] else { return false }
                return own.elementsEqual(others) { $0.time == $1.time && Self.agree($0.value, $1.value) }
            }
    }

    /// The same for answers at different times.
    func agreesApartFromTime(with other: ComparedAnswer) -> Bool {
        if isError || other.isError { return isError && other.isError }
        return type == other.type && points.count == other.points.count
            && points.allSatisfy { labels, own in
                guard let others = other.points[labels] else { return false }
                return own.elementsEqual(others) { Self.agree($0.value, $1.value) }
            }
    }

    private static func agree(_ left: String, _ right: String) -> Bool {
        guard left != right else { return true }
        let (parts, others) = (left.split(separator: " "), right.split(separator: " "))
        if parts.count > 1 || others.count > 1 {
            return parts.count == others.count && zip(parts, others).allSatisfy { agree(String($0), String($1)) }
        }
        guard let left = Double(left), let right = Double(right) else { return false }
        return (left - right).magnitude <= 1e-9 * max(1, left.magnitude, right.magnitude)
    }
}
