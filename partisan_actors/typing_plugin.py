"""The mypy plugin: decorated classes have `remote`, and handles have the methods of their class.

mypy ignores what a class decorator returns, and no annotation can map the methods of `T` over `ActorHandle[T]`. Turn it
on with `plugins = ["partisan_actors.typing_plugin"]` under `[tool.mypy]`. Nothing else of this package imports it.

- A class under `@actor` has `remote`, which takes what its constructor takes, `options` and `cls`.
- `handle.name` on an `ActorHandle[C]` is an `ActorMethod` with the parameters and the result of `C.name`; for an
  `async def`, the result is what awaiting it gives; a generator is a `StreamMethod`. A name that `C` does not have is
  an error. A method that `ActorMethod` cannot describe (overloaded, or generic in its own right) stays unchecked.
- Each parameter of a remote call accepts an ObjectRef of its type as well, by position or by keyword.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.checker import TypeChecker
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import ARG_STAR, ARG_STAR2, TypeInfo, Var
from mypy.plugin import AttributeContext, ClassDefContext, FunctionContext, MethodContext, Plugin
from mypy.plugins.common import add_attribute_to_class
from mypy.typeops import type_object_type
from mypy.types import (
    AnyType,
    CallableType,
    FunctionLike,
    Instance,
    Overloaded,
    Parameters,
    ProperType,
    Type,
    TypeOfAny,
    TypeType,
    UnionType,
    UnpackType,
    get_proper_type,
)

__all__ = ["plugin"]

_DECORATOR = "partisan_actors.api.actor.actor"
_ACTOR = "partisan_actors.api.actor.Actor"
_ACTOR_CLASS = "partisan_actors.api.actor.ActorClass"
_LOCAL_METHOD = "partisan_actors.api.typed.LocalMethod"
_LOCAL_SPREAD = "partisan_actors.api.typed.LocalSpread"
_CONFIGURED = "partisan_actors.api.configured.ConfiguredMethod"
_HANDLE = "partisan_actors.api.actor.ActorHandle"
_OBJECT_REF = "partisan_actors.objects.ref.ObjectRef"
_STREAM = "partisan_actors.api.configured.StreamMethod"
_COROUTINE = "typing.Coroutine"
_GENERATORS = frozenset({"typing.Generator", "typing.Iterator", "typing.AsyncGenerator", "typing.AsyncIterator"})

# The decorators of functions, without options and with.
_OF_FUNCTIONS = frozenset(
    {
        "partisan_actors.api.typed.method",
        "partisan_actors.api.task.task",
        "partisan_actors.api.task.TaskDecorator.__call__",
    }
)

# The methods under @takes_references.
_CALLS = frozenset(
    {
        "partisan_actors.api.actor.ActorClass.remote",
        "partisan_actors.api.typed.LocalMethod.remote",
        "partisan_actors.api.typed.LocalMethod.tell",
        "partisan_actors.api.methods.ActorMethod.remote",
        "partisan_actors.api.methods.ActorMethod.tell",
        "partisan_actors.api.configured.ConfiguredMethod.remote",
        "partisan_actors.api.configured.ConfiguredMethod.tell",
        "partisan_actors.api.configured.StreamMethod.remote",
        "partisan_actors.api.configured.StreamMethod.tell",
        "partisan_actors.api.methods.AckedMethod.remote",
        "partisan_actors.api.methods.AckedMethod.tell",
        "partisan_actors.api.task.RemoteFunction.remote",
        "partisan_actors.api.task.SpreadFunction.remote",
        "partisan_actors.api.typed.LocalSpread.remote",
        "partisan_actors.api.typed.LocalSpread.tell",
    }
)

# The attributes that @actor gives a class, and the descriptor that describes each of them.
_ADDED = {
    "remote": "partisan_actors.api.actor.RemoteOf",
    "options": "partisan_actors.api.actor.OptionsOf",
    "cls": "partisan_actors.api.actor.ClassOf",
}


class PartisanPlugin(Plugin):
    """What mypy asks about a name. None leaves the answer to mypy."""

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        """Asked once for each decorator of each class."""
        return _add_creation if fullname == _DECORATOR else None

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Asked for each `Class.name`. Whether the class is an actor's shows only when the answer is used."""
        name = fullname.rpartition(".")[2]
        if name not in _ADDED:
            return None
        return lambda context: self._creation(context, name)

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Asked for each call of a function, `@task` and `@method` among them."""
        return _unchecked_if_generic if fullname in _OF_FUNCTIONS else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Asked for each call of a method, and `@task(...)` is one."""
        return _unchecked_if_generic if fullname in _OF_FUNCTIONS else None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Asked for `remote` and `tell`, and for each `handle.name` that ActorHandle itself does not define."""
        owner, _, name = fullname.rpartition(".")
        if fullname in _CALLS:
            return lambda context: self._call(context, name)
        return (lambda context: self._method_of_handle(context, name)) if owner == _HANDLE else None

    def _creation(self, context: AttributeContext, name: str) -> Type:
        if not isinstance(context.api, TypeChecker):
            return context.default_attr_type
        constructor = _constructor_of_actor(context.type, context.api)
        if constructor is None:
            return context.default_attr_type
        if name == "cls":
            return constructor
        if name == "remote":
            return self._remote_of(constructor, context.api)
        configured = self._actor_class_of(constructor)
        return context.api.expr_checker.analyze_external_member_access(name, configured, context.context)

    def _remote_of(self, constructor: FunctionLike, checker: TypeChecker) -> FunctionLike:
        made = [
            item.copy_modified(
                arg_types=[self._or_reference(each) for each in item.arg_types],
                ret_type=Instance(self._info(_HANDLE), [item.ret_type]),
                fallback=checker.named_type("builtins.function"),
                name=f"remote of {constructor.type_object().name}",
                implicit=False,
            )
            for item in constructor.items
        ]
        return made[0] if len(made) == 1 else Overloaded(made)

    def _actor_class_of(self, constructor: FunctionLike) -> Instance:
        # The parameters of an overloaded or generic constructor do not fit ActorClass: they stay unchecked.
        item = constructor.items[0]
        if len(constructor.items) == 1 and not item.variables:
            return Instance(self._info(_ACTOR_CLASS), [_parameters(item), item.ret_type])
        info = constructor.type_object()
        made = Instance(info, [AnyType(TypeOfAny.special_form) for _ in info.defn.type_vars])
        return Instance(self._info(_ACTOR_CLASS), [_any_parameters(), made])

    def _method_of_handle(self, context: AttributeContext, name: str) -> Type:
        handle, unchecked = context.type, get_proper_type(context.default_attr_type)
        if (
            not isinstance(context.api, TypeChecker)
            or not isinstance(handle, Instance)
            or not isinstance(unchecked, Instance)
        ):
            return context.default_attr_type
        actor = get_proper_type(map_instance_to_supertype(handle, self._info(_HANDLE)).args[0])
        if not isinstance(actor, Instance):
            return unchecked
        member = get_proper_type(context.api.expr_checker.analyze_external_member_access(name, actor, context.context))
        if isinstance(member, Instance) and member.type.fullname == _LOCAL_METHOD:  # under @method
            return unchecked.copy_modified(args=list(member.args[:2]))
        if isinstance(member, Instance) and member.type.fullname == _LOCAL_SPREAD:  # under @method(num_returns=...)
            return Instance(self._info(_CONFIGURED), list(member.args[:2]))
        if isinstance(member, Instance) and member.type.fullname == _STREAM:
            return member
        if not isinstance(member, CallableType) or member.variables:
            return unchecked
        result = get_proper_type(member.ret_type)
        if isinstance(result, Instance) and result.type.fullname in _GENERATORS:
            return Instance(self._info(_STREAM), [_parameters(member), result.args[0]])
        return unchecked.copy_modified(args=[_parameters(member), self._awaited(result)])

    def _awaited(self, result: ProperType) -> Type:
        if isinstance(result, Instance) and result.type.has_base(_COROUTINE):
            return map_instance_to_supertype(result, self._info(_COROUTINE)).args[2]
        return result

    def _call(self, context: AttributeContext, name: str) -> Type:
        # RemoteCall's overloads are inexact, for checkers without plugins; this one signature is not.
        call = get_proper_type(context.default_attr_type)
        parameters = get_proper_type(call.args[0]) if isinstance(call, Instance) else None
        if not isinstance(call, Instance) or not isinstance(parameters, Parameters):
            return call
        return CallableType(
            [self._or_reference(each) for each in parameters.arg_types],
            parameters.arg_kinds,
            parameters.arg_names,
            call.args[1],
            fallback=context.api.named_generic_type("builtins.function", []),
            name=name,
            is_ellipsis_args=parameters.is_ellipsis_args,
        )

    def _or_reference(self, parameter: Type) -> Type:
        if isinstance(parameter, UnpackType):  # **options: Unpack[SomeTypedDict]
            return parameter
        return UnionType.make_union([parameter, Instance(self._info(_OBJECT_REF), [parameter])])

    def _info(self, fullname: str) -> TypeInfo:
        symbol = self.lookup_fully_qualified(fullname)
        assert symbol is not None, fullname
        assert isinstance(symbol.node, TypeInfo), fullname
        return symbol.node


def _add_creation(context: ClassDefContext) -> bool:
    for name, descriptor in _ADDED.items():
        described = context.api.named_type_or_none(descriptor, [])
        if described is None:  # its module is not analysed yet: mypy asks again in the next round
            return False
        existing = context.cls.info.names.get(name)
        if existing is None or not existing.plugin_generated:
            add_attribute_to_class(context.api, context.cls, name, described, is_classvar=True)
    return True


def _constructor_of_actor(named: ProperType, checker: TypeChecker) -> FunctionLike | None:
    if isinstance(named, TypeType) and isinstance(named.item, Instance):
        if named.item.type.fullname == _ACTOR:  # Counter = actor(PlainClass)
            plain = get_proper_type(named.item.args[0])
            return plain if isinstance(plain, FunctionLike) and plain.is_type_obj() else None
        named = type_object_type(named.item.type, checker.named_type)  # cls: type[Counter]
    if not isinstance(named, FunctionLike) or not named.is_type_obj():
        return None
    symbol = named.type_object().get("remote")
    added = get_proper_type(symbol.node.type) if symbol is not None and isinstance(symbol.node, Var) else None
    return named if isinstance(added, Instance) and added.type.fullname == _ADDED["remote"] else None


def _unchecked_if_generic(context: FunctionContext | MethodContext) -> Type:
    # mypy would match the TypeVar of `def first(values: list[T]) -> T` with the coroutine of the first overload.
    function = get_proper_type(context.arg_types[0][0]) if context.arg_types and context.arg_types[0] else None
    made = get_proper_type(context.default_return_type)
    if not isinstance(function, CallableType) or not function.variables or not isinstance(made, Instance):
        return made
    results: list[Type] = [AnyType(TypeOfAny.special_form) for _ in made.args[1:]]
    return made.copy_modified(args=[_any_parameters(), *results])


def _any_parameters() -> Parameters:
    unknown = AnyType(TypeOfAny.special_form)
    return Parameters([unknown, unknown], [ARG_STAR, ARG_STAR2], [None, None], is_ellipsis_args=True)


def _parameters(function: CallableType) -> Parameters:
    return Parameters(
        function.arg_types, function.arg_kinds, function.arg_names, is_ellipsis_args=function.is_ellipsis_args
    )


def plugin(version: str) -> type[Plugin]:
    """Give mypy, of whatever version, the plugin: its entry point."""
    return PartisanPlugin
