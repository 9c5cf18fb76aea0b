import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Compares the parser and the writer with Python's `json`, an independent implementation.
@Suite struct JSONAgreementTests {
    /// Reads lines `TEXT<TAB>WRITTEN` in hexadecimal, where WRITTEN is `-` for a text that was refused, and prints each
    /// line that it disagrees with.
    private static let judge = """
        import json, sys, re, math
        def constant(name): raise ValueError(name)
        def number(text):
            value = float(text)
            if math.isinf(value): raise ValueError(text)
            return value
        def whole(text):
            value = int(text)
            return value if -2**63 <= value < 2**63 else number(text)
        def load(data):
            value = json.loads(data.decode('utf-8'), parse_constant=constant, parse_float=number, parse_int=whole,
                               object_pairs_hook=lambda pairs: ['object'] + [list(pair) for pair in pairs])
            return clean(value)
        def clean(value):
            if isinstance(value, str): return re.sub('[\\ud800-\\udfff]', '\\ufffd', value)
            if isinstance(value, list): return [clean(one) for one in value]
            return value
        count = 0
        for line in open(sys.argv[1]):
            text, written = line.rstrip('\\n').split('\\t')
            text = bytes.fromhex(text)
            try: wanted = repr(load(text))
            except (ValueError, RecursionError): wanted = None
            found = None if written == '-' else repr(load(bytes.fromhex(written)))
            count += wanted is not None
            # A double that is whole may be written without a fraction.
            if wanted != found and (wanted is None or found is None or eval(wanted) != eval(found)):
                print(text, wanted, found)
        print(count, file=sys.stderr)
        """

    @Test func textsAreTakenOrRefusedAsPythonDoesAndMeanTheSame() throws {
        var random = SeededGenerator()
        let directory = TemporaryDirectory()
        var lines = ""
        for index in 0..<6000 {
            var bytes = Array(JSONText.random(depth: 4, &random).utf8)
            if index % 3 != 0 { JSONText.mutate(&bytes, &random) }
            let parsed = try? JSON(parsing: bytes)
            lines += "\(Self.hex(bytes))\t\(parsed.map { Self.hex(Array($0.encoded.utf8)) } ?? "-")\n"
        }
        let input = directory.write(lines, to: "input")
        let script = directory.write(Self.judge, to: "judge.py")
        let (output, errors) = (directory.file("output"), directory.file("errors"))
        let process = try ChildProcess(["python3", script, input], output: .file(output), errors: .file(errors))
        #expect(process.wait() == .code(0), "\(FileText.read(errors) ?? "")")
        #expect(FileText.read(output) == "", "seed \(random.seed)")
        // Both kinds occurred.
        let accepted = FileText.read(errors).flatMap { Int($0.filter { !$0.isWhitespace }) } ?? 0
        #expect((2000..<5900).contains(accepted), "\(accepted)")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        var random = SeededGenerator()
        for _ in 0..<3000 {
            let value = JSONText.value(depth: 4, &random)
            for text in [value.encoded, value.canonical] {
                let again = try JSON(parsing: text)
                #expect(again.canonical.utf8.elementsEqual(value.canonical.utf8), "seed \(random.seed): \(text)")
            }
            #expect(try JSON(parsing: value.encoded) == value, "seed \(random.seed): \(value.encoded)")
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Random JSON values and texts.
private enum JSONText {
    /// A value. Doubles that are whole come as integers, as they are read back.
    static func value(depth: Int, _ random: inout SeededGenerator) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<64, using: &random))
        case 3: return number(Double(bitPattern: .random(in: 0...(.max), using: &random)))
        case 4: return number(Double.random(in: -100...100, using: &random))
        case 5: return .string(string(&random))
        case 6, 7:
            let count = Int.random(in: 0..<5, using: &random)
            return .array((0..<count).map { _ in value(depth: depth - 1, &random) })
        default:
            let count = Int.random(in: 0..<5, using: &random)
            return .object((0..<count).map { _ in JSON.Member(string(&random), value(depth: depth - 1, &random)) })
        }
    }

    private static func number(_ value: Double) -> JSON {
        if !value.isFinite { return .null }
        return value.magnitude < 0x1p53 ? Int64(exactly: value).map(JSON.integer) ?? .number(value) : .number(value)
    }

    static func string(_ random: inout SeededGenerator) -> String {
        let limits: [UInt32] = [0x20, 0x80, 0x800, 0x1_0000, 0x11_0000]
        return String(
            String.UnicodeScalarView(
                (0..<Int.random(in: 0..<8, using: &random)).compactMap { _ in
                    Unicode.Scalar(UInt32.random(in: 0..<limits.randomElement(using: &random)!, using: &random))
                }))
    }

    /// A text with blanks and escapes that Tribune's writer does not use.
    static func random(depth: Int, _ random: inout SeededGenerator) -> String {
        text(value(depth: depth, &random), &random)
    }

    private static func text(_ value: JSON, _ random: inout SeededGenerator) -> String {
        func blank() -> String { ["", "", "", " ", "\n", "\t", "\r"].randomElement(using: &random)! }
        switch value {
        case .array(let elements):
            return blank() + "[" + elements.map { text($0, &random) }.joined(separator: ",") + blank() + "]" + blank()
        case .object(let members):
            let parts = members.map { blank() + quoted($0.name, &random) + blank() + ":" + text($0.value, &random) }
            return blank() + "{" + parts.joined(separator: ",") + blank() + "}" + blank()
        case .string(let string): return blank() + quoted(string, &random) + blank()
        case .number(let number):
            let styles = [
                number.description, number.description.uppercased(),
                "\(Int8(clamping: Int64(number.significand)))e\(number.exponent % 400)",
            ]
            return blank() + styles.randomElement(using: &random)!.replacing("E+", with: "E") + blank()
        default: return blank() + value.encoded + blank()
        }
    }

    private static func quoted(_ text: String, _ random: inout SeededGenerator) -> String {
        let pieces = text.utf16.map { unit -> String in
            let digits = String(unit, radix: 16, uppercase: .random(using: &random))
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        if Bool.random(using: &random) { return "\"" + pieces.joined() + "\"" }
        return JSON.string(text).encoded
    }

    static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let interesting =
            Array(#"{}[]",:\u0123456789abcdefDE+-.eEtrufalsn "#.utf8) + [
                0x00, 0x0b, 0x1f, 0x7f, 0x80, 0xc3, 0xed, 0xff,
            ]
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            let byte = interesting.randomElement(using: &random)!
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes.insert(byte, at: place)
            case 1 where place < bytes.count: bytes[place] = byte
            case _ where place < bytes.count: bytes.remove(at: place)
            default: bytes.append(byte)
            }
        }
    }
}
