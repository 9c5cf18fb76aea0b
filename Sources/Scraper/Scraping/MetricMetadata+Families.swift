internal import Exposition
internal import MetricModel

extension MetricMetadata {
    /// One entry per family, in order of first appearance.
    static func families(_ entries: [ExpositionEntry]) -> [MetricMetadata] {
        var families: [MetricMetadata] = []
        var indices: [String: Int] = [:]
        func index(of family: String) -> Int {
            if let known = indices[family] { return known }
            families.append(MetricMetadata(family: family, type: MetricType.unknown.name, help: "", unit: ""))
            indices[family] = families.count - 1
            return families.count - 1
        }
        for entry in entries {
            switch entry {
            case .type(let metric, let type): families[index(of: metric)].type = type.name
            case .help(let metric, let text): families[index(of: metric)].help = text
            case .unit(let metric, let unit): families[index(of: metric)].unit = unit
            case .comment, .sample, .histogram: break
            }
        }
        return families
    }
}
