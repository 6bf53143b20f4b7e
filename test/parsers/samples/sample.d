/// A little of everything that the language pack reads.
module sample.everything;

import core.memory : GC;
import std.container.array : Array;
static import std.stdio;
public import io = std.file;

version (Windows)
    enum separator = '\\';
else version (Posix)
    enum separator = '/';
else
    static assert(false, "unsupported");

debug (verbose) private __gshared int traces;

extern (C) nothrow @nogc int puts(const(char)* text);
extern (C++, "space") class Foreign;
alias Callback = extern (C) void function(void* context) nothrow;
alias Handler(T) = void delegate(ref T);

enum Colour : ubyte
{
    red = 1,
    green,
    @(1) blue,
}

@safe pure struct Point(T, size_t n = 2) if (is(T : long))
{
    T[n] at;
    invariant (n > 0);

    this(T[] values...) @trusted
    in (values.length <= n, "too many")
    {
        at[0 .. values.length] = values[];
    }

    this(this)
    {
        at = at.dup[0 .. n];
    }

    ~this() {}

    ref inout(T) opIndex(size_t i) inout return => at[i];
    T opBinary(string op)(in T other) const if (op == "+" || op == "-")
    {
        return mixin("at[0] " ~ op ~ " other");
    }

    alias opIndex this;
}

union Either
{
    int number;
    float fraction;
}

interface Shape
{
    double area() const @property;
}

abstract class Base : Shape
{
    protected shared int count;
    static immutable string[string] names;

    static this()
    {
        names = ["a": "b", "c": "d"];
    }

    final void hold(scope void delegate(int) @safe work, return scope int* target)
    {
        synchronized (this)
        {
            work(*target);
        }
    }
}

class Square : Base
{
    private double side = 1.5e3;
    override double area() const @property
    {
        return side ^^ 2;
    }
}

template Twice(alias f, Args...)
{
    auto Twice(Args args)
    {
        foreach (_; 0 .. 2)
            f(args);
    }
}

mixin template Counted()
{
    int used;
}

int* escape(ref int[] pool, size_t index) @trusted
out (result; result !is null)
{
    pool ~= 1;
    pool.length += 4;
    scope (exit)
        pool.reserve(8);
    auto first = &pool[index];
    auto raw = pool.ptr + 1, part = pool[1 .. $ - 1];
    int[] copy = pool.dup;
    int[4] fixed = [1, 2, 3, 4];
    int[string] table = ["one": 1];
    if (auto found = "one" in table)
        *found += cast(int) copy.length;
    static if (is(typeof(first) == int*))
        GC.addRoot(first);
    final switch (Colour.red)
    {
    case Colour.red, Colour.green:
        break;
    case Colour.blue:
        goto done;
    }
    outer: while (true)
    {
        do
        {
            break outer;
        }
        while (false);
    }
    foreach_reverse (i, ref element; pool)
    {
        if (i == 0)
            continue;
        element <<= 1, element >>>= 1;
    }
    try
        throw new Exception("no", null);
    catch (Exception problem)
        std.stdio.writeln(problem.msg);
    finally
        puts("done\0".ptr);
    with (Colour)
        assert(red != blue);
    auto later = () @trusted { return &pool[0]; };
    auto lambda = (int x) => x * 2;
    int nested(int y)
    {
        return y + cast(int) index;
    }
    auto text = `raw` ~ q{token string} ~ "\u00e9" ~ r"\n" ~ x"0A" ~ q"[delimited]";
    asm @nogc nothrow
    {
        nop;
    }
    pragma(inline, true);
    int conditional = index > 0 ? nested(1) : lambda(2);
    auto object = new Square;
    auto buffer = new ubyte[](16);
    delegate(int a) { puts("x".ptr); }(__traits(allMembers, Point!int).length);
done:
    return later is null ? null : first;
}

/+ nested /+ comment +/ +/
@trusted:
mixin Counted;
shared static ~this() {}
Array!(int[]) jobs;
immutable int[3] table = [0: 1, 2: 3];

unittest
{
    assert(escape([1, 2, 3].dup, 0) !is null);
}
