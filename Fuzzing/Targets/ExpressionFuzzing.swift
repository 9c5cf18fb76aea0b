import PromQL

/// The reader and the printers of PromQL.
enum ExpressionFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        let expression: Expression
        do {
            expression = try Expression.parse(utf8: bytes, features: .all)
        } catch {
            return error.description.isEmpty ? "an error without text" : nil
        }
        _ = expression.apiJSON
        let printed = expression.description
        guard let again = try? Expression.parse(printed, features: .all) else {
            return "what is printed does not parse: \(printed)"
        }
        if again.description != printed { return "printed \(printed), and then \(again.description)" }
        let pretty = expression.pretty()
        guard let formatted = try? Expression.parse(pretty, features: .all) else {
            return "what is formatted does not parse: \(pretty)"
        }
        return formatted.description == printed ? nil : "formatting changes \(printed) into \(formatted.description)"
    }

    static func notationFinding(in bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        do {
            _ = try SeriesNotation(parsing: text)
            return nil
        } catch {
            return error.description.isEmpty ? "an error without text" : nil
        }
    }
}
