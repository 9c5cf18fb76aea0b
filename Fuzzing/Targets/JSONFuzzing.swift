import JSON

/// JSON texts: what parses is written and read back as the same value.
enum JSONFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        let value: JSON
        do {
            value = try JSON(parsing: bytes)
        } catch {
            if error.message.isEmpty { return "an error without text" }
            return (0...bytes.count).contains(error.offset) ? nil : "an error beyond the text: \(error)"
        }
        for text in [value.encoded, value.canonical] {
            guard let again = try? JSON(parsing: text) else { return "what is written does not parse: \(text)" }
            if !again.canonical.utf8.elementsEqual(value.canonical.utf8) {
                return "\(text) comes back as \(again.encoded)"
            }
        }
        // Strict reading may fail, but must return.
        if var fields = try? JSONFields(value) {
            for member in value.members ?? [] { _ = try? fields.text(member.name) }
            _ = try? fields.finish()
        }
        return nil
    }
}
