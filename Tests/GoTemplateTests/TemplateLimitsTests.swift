import MetricModel
import Testing

@testable import GoTemplate

/// The limits of templates.
@Suite struct TemplateLimitsTests {
    private func expand(_ text: String, limits: Template.Limits) throws -> String {
        try Template(text, name: "t", functions: ["args"]).expand(
            .absent,
            functions: PrometheusFunctions(time: Timestamp(milliseconds: 0), externalURL: "") {
                _ throws(TemplateFailure) in []
            }.table, limits: limits)
    }

    @Test func outputIsBounded() {
        let message = "template: t: the result is larger than 10 bytes"
        #expect(throws: TemplateError(message: message)) {
            try expand("{{ range 6 }}ab{{ end }}", limits: .init(bytes: 10))
        }
    }

    @Test(arguments: [
        "{{ printf \"%9999d%9999d\" 1 2 | len }}", "{{ $x := \"ab\" }}{{ range 20 }}{{ $x = print $x $x }}{{ end }}",
    ])
    func textsOnTheWayAreBounded(template: String) {
        let error = #expect(throws: TemplateError.self) { try expand(template, limits: .init(bytes: 10_000)) }
        #expect(error?.message.contains("larger than 10000 bytes") == true)
    }

    @Test func loopsAreBounded() {
        let error = #expect(throws: TemplateError.self) {
            try expand("{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}", limits: .init(steps: 5000))
        }
        #expect(error?.message.contains("more than 5000 steps") == true)
    }

    @Test func recursionIsBounded() {
        let error = #expect(throws: TemplateError.self) {
            try expand("{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}", limits: .init(depth: 5))
        }
        #expect(error?.message.contains("exceeded maximum template depth (5)") == true)
    }

    @Test(arguments: ["{{ if true }}", "{{ print (", "{{ (", "{{/* x */}}"])
    func longTextsDoNotOverflowTheStack(piece: String) {
        // Rejected or not, the parser must return.
        _ = try? Template(String(repeating: piece, count: 50_000), name: "t", functions: [String]())
    }

    @Test func mutilatedTemplatesAreRefusedOrParsed() {
        let text =
            "a{{- with $x := query \"up\" | first -}} {{ .Labels.job | printf \"%5.2f\" }}{{ else }}{{/* c */}}{{ end }}`'\\"
        let bytes = Array(text.utf8)
        for start in bytes.indices {
            for end in start...bytes.count {
                let piece = String(decoding: bytes[start..<end], as: UTF8.self)
                _ = try? Template(piece, name: "t", functions: PrometheusFunctions.names)
            }
        }
    }
}
