import Exposition
import JSON
import Runtime
import TestSupport
import Testing

@Suite struct ContentTypeTests {
    @Test(.enabled(if: Conformance.isAvailable)) func choiceFollowsTheCases() throws {
        let path = "\(Conformance.directory ?? "")/exposition/content_type_cases.json"
        let cases = try JSON(parsing: FileText.bytes(path))["cases"]?.elements ?? []
        #expect(cases.count == 14)
        for entry in cases {
            let id = entry["id"]?.text ?? ""
            let fallback: ExpositionFormat? =
                switch entry["fallback_scrape_protocol"]?.text {
                case "PrometheusText0.0.4": .text
                case "OpenMetricsText0.0.1", "OpenMetricsText1.0.0": .openMetrics
                case "PrometheusProto": .protobuf
                default: nil
                }
            let choice = ContentType.choose(entry["content_type"]?.text, fallback: fallback)
            #expect(choice.format.map { "\($0)".lowercased() } == entry["parser"]?.text, "\(id)")
            #expect(
                choice.message.contains(entry["message_contains"]?.text ?? "") || id.isEmpty, "\(id): \(choice.message)"
            )
            #expect(choice.message.isEmpty == (entry["message_contains"]?.text ?? "").isEmpty, "\(id)")
        }
    }

    @Test(arguments: [
        (nil, ExpositionFormat.text), ("*/*", .text), ("text/plain", .text),
        ("application/openmetrics-text; version=1.0.0", .openMetrics),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.4", .openMetrics),
        ("application/openmetrics-text;q=0.3, text/plain; q=0.4", .text),
        ("application/openmetrics-text;q=0", .text),
    ])
    func answerFormatFollowsAccept(accept: String?, format: ExpositionFormat) {
        #expect(ExpositionFormat(accept: accept) == format)
    }
}
