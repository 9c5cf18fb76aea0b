internal import DeploymentGates
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import Rollback

extension GateData {
    /// Access to the samples of `store` and to `engine`.
    static func of(_ store: MetricStore, _ engine: QueryEngine, now: @escaping @Sendable () -> Timestamp) -> GateData {
        GateData(
            matchers: { Expression.matchers(of: $0) },
            select: { matchers, from, through in
                do throws(SelectError) {
                    let found = try store.select(
                        matchers, from: from, through: through, sampleLimit: engine.options.maximumSamples)
                    return .success(found)
                } catch {
                    return .failure(Fault("\(error)"))
                }
            },
            evaluate: { text in
                do throws(QueryError) {
                    return .success(try engine.elements(of: text, at: now(), from: store))
                } catch {
                    return .failure(Fault(error.description))
                }
            })
    }
}

extension Expression {
    /// The matchers of a selector. Anything else, or a selector with a range, offset or `@`, is an error.
    static func matchers(of text: String) -> Result<[Matcher], GateData.Fault> {
        do throws(ParseError) {
            guard case .vectorSelector(let selector) = try Expression.parse(text), selector.offset == nil,
                selector.at == nil
            else { return .failure(GateData.Fault("expected a selector such as name{label=\"value\"}")) }
            return .success(selector.matchers)
        } catch {
            return .failure(GateData.Fault(error.description))
        }
    }
}

extension QueryEngine {
    /// The elements of `text` at `time`. A scalar is an element without labels.
    func elements(
        of text: String, at time: Timestamp, from store: MetricStore
    ) throws(QueryError) -> [GateData.Element] {
        let expression: Expression
        do throws(ParseError) { expression = try Expression.parse(text) } catch { throw .parse(error) }
        switch try instant(expression, at: time, from: store).value {
        case .scalar(let value, _): return [GateData.Element(labels: .empty, value: value)]
        case .vector(let elements): return elements.map { GateData.Element(labels: $0.labels, value: $0.value) }
        case .string, .matrix: throw .execution("expected a number or an instant vector")
        }
    }
}
