import Foundation
import JSON
import TestSupport

/// The shared PromQL cases.
enum PromQLCases {
    /// The `cases` of a file.
    static func cases(_ name: String) throws -> [JSON] {
        guard let directory = Conformance.directory else { return [] }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/promql/\(name)"))
        return try JSON(parsing: Array(bytes))["cases"]?.elements ?? []
    }

    /// The paths of the scripts.
    static func scripts() throws -> [String] {
        guard let directory = Conformance.directory else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: "\(directory)/promql")
            .filter { $0.hasSuffix(".test") }.sorted().map { "\(directory)/promql/\($0)" }
    }

    static func text(of path: String) throws -> String {
        try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
    }

    /// The bytes of a string in a case, which may be written in base64.
    static func bytes(_ value: JSON?) -> [UInt8] {
        if let encoded = value?["base64"]?.text, let data = Data(base64Encoded: encoded) { return Array(data) }
        return Array((value?.text ?? "").utf8)
    }

    /// Bytes as the cases write them.
    static func value(_ bytes: [UInt8]) -> JSON {
        String(validating: bytes, as: UTF8.self).map { .string($0) }
            ?? ["base64": .string(Data(bytes).base64EncodedString())]
    }
}
