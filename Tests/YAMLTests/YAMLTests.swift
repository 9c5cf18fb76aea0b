import Testing
import YAML

@Suite struct YAMLTests {
    @Test func nodesKnowTheirPlace() throws {
        let node = try #require(try YAML.parse("a: 1\nb:\n  - x\n  - 'null'\n").first)
        #expect(node["b"]?.line == 3)
        #expect(node["b"]?.elements?[1].column == 5)
        #expect(node["b"]?.elements?[1].isNull == false)
        #expect(node["a"]?.text == "1")
    }

    @Test func aliasesAndMergeKeysAreResolved() throws {
        let text = "base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nagain: *b\n"
        let node = try #require(try YAML.parse(text).first)
        #expect(node["use"]?["x"]?.text == "1")
        #expect(node["use"]?["y"]?.text == "3")
        #expect(node["again"]?["y"]?.text == "2")
    }

    @Test func everyDocumentIsRead() throws {
        #expect(try YAML.parse("a: 1\n---\nb: 2\n").count == 2)
        #expect(try YAML.parse("").isEmpty)
    }

    @Test(arguments: [
        ("a: [1", "f.yml:2:1: while parsing a flow sequence: did not find expected ',' or ']'"),
        ("a: 1\na: 2", "f.yml:2:1: mapping key \"a\" already defined"),
        ("a: *x", "f.yml:1:4: unknown anchor \"x\""),
        ("? [1]\n: 2", "f.yml:1:3: a key must be a scalar, this is a list"),
    ])
    func faultsNameFileLineAndColumn(text: String, message: String) {
        let error = #expect(throws: YAMLError.self) { try YAML.parse(text, file: "f.yml") }
        #expect(error?.description == message)
    }

    @Test func aliasBombsAreRefused() {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        for level in 1...9 {
            text +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
        }
        let error = #expect(throws: YAMLError.self) { try YAML.parse(text) }
        #expect(error?.message.contains("nodes") == true)
    }

    @Test func aSecondDocumentIsAnError() throws {
        #expect(try YAML.document("") == nil)
        #expect(try YAML.document("---\na: 1\n")?["a"]?.line == 2)
        for text in ["a: 1\n---\nb: 2\n", "a: 1\n---\nb: 2\n---\nc: 3\n"] {
            let error = #expect(throws: YAMLError.self) { try YAML.document(text, file: "f.yml") }
            let count = text.split(separator: "---").count
            #expect(error?.description == "f.yml:3:1: expected one document, found \(count)")
        }
    }

    @Test(arguments: [
        ("8080", 8080), ("1_000", 1000), ("0x1F", 31), ("017", 15), ("0o17", 15), ("0b11", 3), ("+5", 5),
        ("-0x10", -16),
        ("1e3", 1000), ("1.0", 1), ("0", 0), ("-7", -7), ("\"12\"", 12), ("1.5", nil), ("x", nil), ("", nil),
        ("_", nil),
        ("0x", nil), ("0x-1", nil), ("08", 8), ("1e30", nil), ("99999999999999999999", nil), ("nan", nil),
        ("[1]", nil),
    ])
    func wholeNumbersAreThoseOfYAML(text: String, number: Int?) throws {
        #expect(try YAML.document("a: \(text)")?["a"]?.integer == number)
    }

    @Test func deepNestingIsRefused() {
        let error = #expect(throws: YAMLError.self) { try YAML.parse(String(repeating: "[", count: 5000)) }
        #expect(error != nil)
    }

    @Test func fieldReaderFindsUnknownFieldsAndWrongTypes() throws {
        let node = try #require(try YAML.parse("name: x\ncount: many\nextra: 1\nflag: maybe\n").first)
        var fields = try FieldReader(node, path: "top", file: "f.yml")
        #expect(try fields.text("name") == "x")
        #expect(try fields.optionalInteger("count") == nil)
        #expect(try fields.optionalFlag("flag") == nil)
        let own = fields.fault("wrong", at: node["name"], field: "name")
        #expect(own.all.map(\.line) == [1, 2, 4])
        // An error that was stored already is not stored twice.
        fields.note(own)
        let error = #expect(throws: YAMLError.self) { try fields.finish() }
        #expect(
            error?.all.map(\.description) == [
                "f.yml:1:7: top.name: wrong", "f.yml:2:8: top.count: expected a whole number",
                "f.yml:3:1: top.extra: unknown field \"extra\"", "f.yml:4:7: top.flag: expected true or false",
            ])
    }
}
