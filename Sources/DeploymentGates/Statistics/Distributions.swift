internal import Glibc
internal import Rollback

/// The standard normal distribution.
public enum Normal {
    /// P(Z ≥ z), accurate far into the tail.
    public static func upperTail(_ z: Double) -> Double { 0.5 * erfc(z / 2.0.squareRoot()) }

    /// P(Z ≤ z).
    public static func lowerTail(_ z: Double) -> Double { upperTail(-z) }

    /// The z with P(Z ≤ z) = `probability`; infinite at 0 and 1.
    ///
    /// Newton's method on the tail probability, from a start with an error of a few per cent; about five steps.
    public static func quantile(_ probability: Double) -> Double {
        guard probability > 0 else { return -.infinity }
        guard probability < 1 else { return .infinity }
        if probability > 0.5 { return -quantile(1 - probability) }
        // Abramowitz and Stegun 26.2.23 as the start value.
        let t = (-2 * log(probability)).squareRoot()
        var z =
            -(t - (2.515517 + t * (0.802853 + t * 0.010328))
                / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))))
        for _ in 0..<20 {
            let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            guard density > 0 else { break }
            let step = (lowerTail(z) - probability) / density
            z -= step / (1 + z * step / 2)
            if step.magnitude <= 1e-15 * (1 + z.magnitude) { break }
        }
        return z
    }
}

/// The beta distribution and its parts.
public enum Beta {
    /// ln Γ(x) for x > 0: Stirling's series after shifting x beyond 10. Relative error about 1e-15.
    ///
    /// The C library's function writes the sign to a global variable, which threads would share.
    public static func logGamma(_ x: Double) -> Double {
        guard x > 0 else { return .nan }
        var x = x
        var product = 1.0
        while x < 10 {
            product *= x
            x += 1
        }
        let inverse = 1 / (x * x)
        let series =
            (1.0 / 12 + inverse
                * (-1.0 / 360 + inverse
                    * (1.0 / 1260 + inverse * (-1.0 / 1680 + inverse * (1.0 / 1188 - inverse * 691.0 / 360360)))))
            / x
        return (x - 0.5) * log(x) - x + 0.5 * log(2 * Double.pi) + series - log(product)
    }

    /// The logarithm of the number of ways to choose `k` of `n`.
    static func logChoose(_ n: Double, _ k: Double) -> Double {
        k == 0 || k == n ? 0 : logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)
    }

    /// The regularised incomplete beta function I_x(a, b): P(B ≤ x) for B ~ Beta(a, b); a, b > 0.
    ///
    /// Lentz's evaluation of the continued fraction DLMF 8.17.22, on the side that converges fast.
    public static func lowerTail(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        if x > (a + 1) / (a + b + 2) { return 1 - fraction(1 - x, b, a) }
        return fraction(x, a, b)
    }

    /// The x with P(B ≤ x) = `probability`, by bisection to the last bit, which always converges.
    public static func quantile(_ probability: Double, _ a: Double, _ b: Double) -> Double {
        guard probability > 0 else { return 0 }
        guard probability < 1 else { return 1 }
        var low = 0.0
        var high = 1.0
        while true {
            let middle = (low + high) / 2
            guard middle > low, middle < high, high - low > 1e-15 * high else { return middle }
            if lowerTail(middle, a, b) < probability { low = middle } else { high = middle }
        }
    }

    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let logFront = a * log(x) + b * log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)
        let least = 1e-300
        func kept(_ value: Double) -> Double { value.magnitude < least ? least : value }
        var c = 1.0
        var d = 1 / kept(1 - (a + b) * x / (a + 1))
        var result = d
        // It converges in about √max(a, b) steps.
        let steps = 200 + Int(min(1e6, 10 * max(a, b).squareRoot()))
        for index in 1...steps {
            let m = Double(index)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / kept(1 + even * d)
            c = kept(1 + even / c)
            result *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / kept(1 + odd * d)
            c = kept(1 + odd / c)
            result *= d * c
            if (d * c - 1).magnitude < 1e-16 { break }
        }
        return exp(logFront) * result / a
    }
}

/// Student's t distribution.
public enum Student {
    /// P(T ≥ t) with `degrees` of freedom.
    public static func upperTail(_ t: Double, degrees: Double) -> Double {
        let tail = 0.5 * Beta.lowerTail(degrees / (degrees + t * t), degrees / 2, 0.5)
        return t >= 0 ? tail : 1 - tail
    }

    /// The t with P(T ≤ t) = `probability`, for probabilities above one half.
    public static func quantile(_ probability: Double, degrees: Double) -> Double {
        let tail = 2 * (1 - probability)
        let share = Beta.quantile(tail, degrees / 2, 0.5)
        return (degrees * (1 - share) / share).squareRoot()
    }
}
