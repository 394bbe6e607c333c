// Reads the installed client's own .d.ts files and says where a value the client returned is not what its types declare: every
// declared property must be there, with the declared type. JSON has no `undefined`, so an optional property may be null, but its
// name must be there all the same; anything else that differs stands in differs.json, with the reason.
"use strict";

const path = require("node:path");

class Types {
    constructor(dir, from, models, differs) {
        this.ts = from("typescript");
        const ts = this.ts;
        const dist = path.join(dir, "node_modules/@octopusdeploy/api-client/dist");
        const index = path.join(dist, "index.d.ts");
        // Feeds are declared, but the client's index forgets them.
        const files = [index, path.join(dist, "features/feeds/index.d.ts"), models];
        const program = ts.createProgram(files, {
            strict: true,
            noEmit: true,
            skipLibCheck: true,
            types: [],
            target: ts.ScriptTarget.ES2020,
            moduleResolution: ts.ModuleResolutionKind.Node10,
            baseUrl: dir,
        });
        this.checker = program.getTypeChecker();
        this.node = program.getSourceFile(index);
        this.exports = new Map();
        for (const file of files) {
            const module = this.checker.getSymbolAtLocation(program.getSourceFile(file));
            for (const symbol of this.checker.getExportsOfModule(module)) {
                this.exports.set(symbol.name, symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol);
            }
        }
        this.differs = new Map(differs.map((d) => [d.field, d]));
        this.used = new Set();
    }

    symbol(name) {
        const symbol = this.exports.get(name);
        if (!symbol) throw new Error(`the client declares no ${name}`);
        return symbol;
    }

    named(name) {
        return this.checker.getDeclaredTypeOfSymbol(this.symbol(name));
    }

    /** What a method of a class, or a function, promises to return. */
    returned(owner, method) {
        const type = method
            ? this.checker.getTypeOfSymbolAtLocation(this.checker.getPropertyOfType(this.named(owner), method), this.node)
            : this.checker.getTypeOfSymbolAtLocation(this.symbol(owner), this.node);
        const signature = type.getCallSignatures()[0];
        const promised = this.checker.getReturnTypeOfSignature(signature);
        return this.checker.getTypeArguments(promised)[0] ?? promised;
    }

    /** A repository whose every answer is held against its declared type. */
    watch(name, repository, report) {
        return new Proxy(repository, {
            get: (target, key) => {
                const value = target[key];
                if (typeof value !== "function" || key === "constructor") return value;
                return (...args) => {
                    const answer = value.apply(target, args);
                    if (!(answer instanceof Promise)) return answer;
                    return answer.then((result) => {
                        const what = `${name}.${String(key)}`;
                        const known = this.differs.get(what);
                        if (known) this.used.add(what);
                        else this.check(result, this.returned(name, key), what, report);
                        return result;
                    });
                };
            },
        });
    }

    /** Reports everything in `value` that is not as `type` says. */
    check(value, type, at, report) {
        const { ts, checker } = this;
        const F = ts.TypeFlags;
        if (typeof type === "string") type = this.named(type);
        if (type.flags & (F.Any | F.Unknown | F.Void)) return;
        if (type.isTypeParameter()) return;
        const say = (what) => report(`${at}: ${what}`);
        const is = (kind) => {
            if (typeof value !== kind) say(`declared ${kind}, sent ${JSON.stringify(value)}`);
        };
        if (type.flags & F.BooleanLike) return is("boolean");
        if (type.isUnion()) {
            const reports = [];
            for (const member of type.types) {
                const found = [];
                this.check(value, member, at, (line) => found.push(line));
                if (found.length === 0) return;
                reports.push(found);
            }
            const objects = reports.filter((_, i) => type.types[i].flags & F.Object);
            if (value !== null && typeof value === "object" && objects.length === 1) return objects[0].forEach(report);
            return say(`declared ${checker.typeToString(type)}, sent ${JSON.stringify(value)}`);
        }
        if (type.flags & F.Null) return value === null ? undefined : say(`declared null, sent ${JSON.stringify(value)}`);
        if (type.flags & F.Undefined) return value === undefined ? undefined : say(`declared undefined, sent ${JSON.stringify(value)}`);
        if (type.isStringLiteral() || type.isNumberLiteral()) {
            return value === type.value ? undefined : say(`declared ${JSON.stringify(type.value)}, sent ${JSON.stringify(value)}`);
        }
        if (type.flags & F.StringLike) return is("string");
        if (type.flags & F.NumberLike) return is("number");
        if (type.symbol?.name === "Date") {
            // What the client calls a Date arrives as the text of one.
            return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? undefined : say(`declared Date, sent ${JSON.stringify(value)}`);
        }
        if (checker.isArrayType(type)) {
            if (!Array.isArray(value)) return say(`declared a list, sent ${JSON.stringify(value)}`);
            const of = checker.getTypeArguments(type)[0];
            return value.forEach((v, i) => this.check(v, of, `${at}[${i}]`, report));
        }
        if (value === null || typeof value !== "object" || Array.isArray(value)) {
            return say(`declared ${checker.typeToString(type)}, sent ${JSON.stringify(value)}`);
        }
        const declared = checker.getPropertiesOfType(type);
        for (const property of declared) this.property(value, type, property, at, report);
        for (const index of checker.getIndexInfosOfType(type)) {
            for (const [key, v] of Object.entries(value)) {
                if (!declared.some((p) => p.name === key)) this.check(v, index.type, `${at}[${key}]`, report);
            }
        }
    }

    property(value, type, property, at, report) {
        const { ts, checker } = this;
        const owner = property.declarations?.[0]?.parent?.name?.text ?? "";
        const names = [type.symbol?.name, owner].map((name) => `${name}.${property.name}`);
        const field = names.find((name) => this.differs.has(name)) ?? names[1];
        const here = `${at}.${property.name}`;
        const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
        const sent = value[property.name];
        const known = this.differs.get(field);
        if (known) {
            const kind = sent === undefined ? "nothing" : sent === null ? "null" : "other";
            if (known.sends === kind) {
                this.used.add(field);
                return;
            }
        }
        if (!(property.name in value)) return report(`${here}: ${field} is declared and was not sent`);
        if (optional && sent === null) return;
        const declared = checker.getTypeOfSymbolAtLocation(property, this.node);
        // Without the `undefined` that `?` adds; a null the client declares stays.
        if (optional && declared.isUnion()) {
            for (const member of declared.types.filter((t) => !(t.flags & ts.TypeFlags.Undefined))) {
                const found = [];
                this.check(sent, member, here, (line) => found.push(line));
                if (found.length === 0) return;
                if (declared.types.length === 2) return found.forEach(report);
            }
        }
        this.check(sent, declared, here, report);
    }
}

module.exports = { Types };
