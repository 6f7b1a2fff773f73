import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '#src/api/problems.ts';
import { DomainError, type DomainErrorId } from '#src/domain/errors.ts';
import { checkPassword } from '#src/identity/passwords.ts';

const ada = { email: 'ada.lovelace@analytical.example', firstName: 'Ada', lastName: 'King-Noel' };

const refusalOf = (password: string, owner = ada): DomainErrorId | undefined => {
  try {
    checkPassword(password, owner);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error.id;
    throw error;
  }
};

describe('a password', () => {
  it.each<[DomainErrorId, string[]]>([
    ['PasswordTooShort', ['', 'x9-Kq_vT4zb', 'ü9-Kq_vT4zb', '💌9-Kq_vT4zb']],
    ['PasswordTooLong', [`x9-Kq${'vT4zb'.repeat(20)}`, `x9-Kq${'💌🎺📯'.repeat(22)}`]],
    ['PasswordNotDiverseEnough', ['aaaaaaaaaaaa', 'aabbccaabbcc', 'abcabcabcabc', 'x9-Kqx9-Kqx9-', 'x9-Kq_x9-Kq_']],
    [
      'PasswordTooCommon',
      [
        'password1234',
        'Password2024!',
        'P@$$w0rd1234',
        'passwordpassword1',
        '123456789012',
        '1q2w3e4r5t6y',
        'qwertyuiop12',
        'Adm1n1strat0r',
        'adm!nistrator1',
        'welcome12345',
        'iloveyou2023',
        'dragonmonkey',
        'correcthorsebatterystaple',
        'abcdefghijkl',
        'contraseña123',
        'MotDePasse99',
      ],
    ],
    ['PasswordSimilarToEmail', ['lovelace1815!', 'Ada.Lovelace1', 'L0ve1ace-1815', 'analytical-42', 'xx-analytical']],
    ['PasswordSimilarToName', ['king-noel-181', 'King1815-Noel', 'K1ng+N0el+181']],
  ])('is refused as %s', (id, passwords) => {
    for (const password of passwords) expect(refusalOf(password), password).toBe(id);
    expect(PROBLEMS[id]).toMatchObject({ status: 400 });
  });

  it.each([
    'x9-Kq_vT4zbm',
    'tuba lantern crisp otter',
    'lovelace and eight more',
    'king of the hills',
    'ada-ada-vT4zbm-9', // Shorter than a fragment that counts.
    'пароль для почтового рожка',
    '📯🎺💌✉️🔔🗝️9-Kq_vT4z',
    `x9-Kq${'vT4zb'.repeat(18)}wxyz`,
  ])('may be "%s"', (password) => expect(refusalOf(password)).toBeUndefined());

  it('is measured in composed characters', () => {
    expect(refusalOf('u\u0308x-Kq_vT4zb')).toBe('PasswordTooShort');
    expect(refusalOf('u\u0308x-Kq_vT4zbm')).toBeUndefined();
  });

  it('is not said again in the refusal', () => {
    const secret = fc.string({ minLength: 5, maxLength: 130, unit: 'grapheme' });
    fc.assert(
      fc.property(secret, fc.string({ maxLength: 20 }), (password, name) => {
        try {
          checkPassword(password, { email: `${name}@${name}`, firstName: name, lastName: name });
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
          expect(String(error)).not.toContain(password);
        }
      }),
    );
  });

  it('is not refused for a person without a name', () => {
    expect(refusalOf('x9-Kq_vT4zbm', { email: '', firstName: '', lastName: '' })).toBeUndefined();
  });
});
