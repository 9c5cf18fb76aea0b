import JSON
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        (#"{"a":[1,2.5,-0,"x",true,false,null],"b":{}}"#, #"{"a":[1,2.5,0,"x",true,false,null],"b":{}}"#),
        (" [ ] ", "[]"),
        (#""\u00e9\ud83d\ude00\n\/""#, "\"é😀\\n/\""),
        (#""\ud800x""#, "\"\u{fffd}x\""),
        ("9223372036854775807", "9223372036854775807"),
        ("1e3", "1000"),
        ("0.1", "0.1"), ("-0.0", "-0.0"), ("9223372036854775808", "9.223372036854776e+18"),
    ])
    func textIsReadAndWritten(input: String, output: String) throws {
        #expect(try JSON(parsing: input).encoded == output)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "1e", "+1", "nul", "\"\n\"", "\"\\x\"", "[1] 2", "\"\\u12\"",
        "'a'", "[1 2]", "{\"a\":1,}", "NaN", "1e400", "-1e999", "\u{feff}1", "-", "\"\\u12g4\"", "[1]\u{0b}",
    ])
    func otherTextIsRefused(input: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: input) }
    }

    @Test("text for pipelines is the same value, without apostrophes and with a space after each name")
    func pipelines() throws {
        let value: JSON = ["it's": ["'a' \"b\"", true], "c": ["d": "'"]]
        var writer = JSONWriter()
        writer.isForPipelines = true
        writer.write(value)
        #expect(writer.text == #"{"it\u0027s": ["\u0027a\u0027 \"b\"",true],"c": {"d": "\u0027"}}"#)
        #expect(try JSON(parsing: writer.text) == value)
    }

    @Test func malformedBytesInsideAStringAreRefused() {
        #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xff, 0x22]) }
    }

    @Test func deepNestingIsRefusedWithoutOverflowingTheStack() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError(offset: 200, message: "nested deeper than 200 levels")) { try JSON(parsing: deep) }
    }

    @Test func canonicalTextDoesNotDependOnTheOrderOfMembers() throws {
        let one = try JSON(parsing: #"{"b":1,"a":{"d":1,"c":2}}"#)
        let other = try JSON(parsing: #"{"a":{"c":2,"d":1},"b":1}"#)
        #expect(one.canonical == other.canonical)
        #expect(one.canonical == #"{"a":{"c":2,"d":1},"b":1}"#)
    }

    @Test func writerPutsCommasWhereTheyBelong() {
        var writer = JSONWriter()
        writer.beginArray()
        writer.integer(1)
        writer.beginObject()
        writer.name("k")
        writer.number(.infinity)
        writer.name("l")
        writer.string("\u{1}\"")
        writer.endObject()
        writer.bool(true)
        writer.endArray()
        #expect(writer.text == #"[1,{"k":null,"l":"\u0001\""},true]"#)
    }

    @Test("a special byte at every place of a string is escaped, and nothing else is")
    func escapes() throws {
        for length in 0..<20 {
            for place in 0..<length {
                for special in [
                    "\"", "\\", "\n", "\r", "\t", "\u{1}", "\u{1f}", " ", "\u{7f}", "é", "\u{80}", "!", "#", "[", "]",
                ] {
                    let text =
                        String(repeating: "a", count: place) + special + String(repeating: "~", count: length - place)
                    #expect(try JSON(parsing: JSON.string(text).encoded) == .string(text))
                }
            }
        }
        #expect(JSON.string("\u{0}\u{b}\u{1f}\u{7f}\"\\/").encoded == #""\u0000\u000b\u001f\#u{7f}\"\\/""#)
    }
}
